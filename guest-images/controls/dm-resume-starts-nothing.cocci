// class: what was put off while the device was suspended is not started when it is
//   resumed
// module: dm-mod
// file: drivers/md/dm.c
// scenarios: raid1/write-held, raid1
// kills: hang

@@
@@
 dm_queue_flush(...)
 {
 	<...
-	queue_work(...);
 	...>
 }
