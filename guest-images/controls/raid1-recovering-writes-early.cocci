// class: a write to a region that is being recovered does not wait for the copy
// module: dm-mirror
// file: drivers/md/dm-raid1.c
// scenarios: raid1/recovery-races, raid1/recovery
// kills: wrong data, wrong I/O, crash

@@
@@
 do_writes(...)
 {
 	<...
-	this_list = &recover;
+	this_list = &nosync;
 	...>
 }
