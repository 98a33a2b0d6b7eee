// class: a region that a leg missed a write of keeps its state
// module: dm-region-hash
// file: drivers/md/dm-region-hash.c
// scenarios: raid1/write-disk-log
// kills: misjudged, wrong data, crash
// inspired-by: commit 72f4b314100b, "dm raid1: handle write failures"

@@
@@
 dm_rh_mark_nosync(...)
 {
 	...
-	reg->state = DM_RH_NOSYNC;
 	...
 }
