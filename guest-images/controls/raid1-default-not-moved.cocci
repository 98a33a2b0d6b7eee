// class: the leg that failed stays the one to read from and to recover from
// module: dm-mirror
// file: drivers/md/dm-raid1.c
// scenarios: raid1/read-four-legs, raid1
// kills: misjudged, wrong answer, wrong data, wrong I/O, hang

@@
@@
 fail_mirror(...)
 {
 	<...
-	set_default_mirror(new);
+	;
 	...>
 }
