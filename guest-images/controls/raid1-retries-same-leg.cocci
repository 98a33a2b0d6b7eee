// class: the retry goes to the leg that has just failed
// module: dm-mirror
// file: drivers/md/dm-raid1.c
// scenarios: raid1/read-whole, raid1
// kills: hang, wrong answer, wrong I/O, misjudged

@@
@@
 choose_mirror(...)
 {
 	<...
-	likely(!atomic_read(&m->error_count))
+	1
 	...>
 }

@@
@@
 fail_mirror(...)
 {
 	<...
-	set_default_mirror(new);
+	;
 	...>
 }
