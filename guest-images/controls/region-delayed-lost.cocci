// class: the writes that waited for a region's recovery are forgotten
// module: dm-region-hash
// file: drivers/md/dm-region-hash.c
// scenarios: raid1/recovery-races, raid1/recovery
// kills: hang

@@
@@
 complete_resync_work(...)
 {
 	<...
-	rh->dispatch_bios(...);
 	...>
 }
