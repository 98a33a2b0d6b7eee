// class: a region whose recovery failed is taken as in sync
// module: dm-mirror
// file: drivers/md/dm-raid1.c
// scenarios: raid1/recovery-fails
// kills: misjudged, wrong data
// inspired-by: commit f44db678edcc, "dm raid1: handle resync failures":
//   until then failed regions were marked in sync

@@
@@
 recovery_complete(...)
 {
 	...
-	dm_rh_recovery_end(reg, !(read_err || write_err));
+	dm_rh_recovery_end(reg, 1);
 }
