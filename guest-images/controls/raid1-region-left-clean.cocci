// class: a region that a leg missed a write of is still taken as in sync
// module: dm-mirror
// file: drivers/md/dm-raid1.c
// scenarios: raid1/write-whole, raid1/write-halfway, raid1
// kills: misjudged, wrong data
// inspired-by: commit 929be8fcb4b4, "dm raid1: hold write bios when errors
//   are handled"

@@
@@
 do_failures(...)
 {
 	<...
-	dm_rh_mark_nosync(ms->rh, bio);
 	...>
 }
