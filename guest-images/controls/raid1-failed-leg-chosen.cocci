// class: a leg with errors is read from as long as another has not failed
// module: dm-mirror
// file: drivers/md/dm-raid1.c
// scenarios: raid1/read-three-legs, raid1/read-all-legs-fail, raid1
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
