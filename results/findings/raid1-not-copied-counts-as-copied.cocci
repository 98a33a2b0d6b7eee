// class: the cure of a region that was not copied and counts as copied, not a fault
// module: dm-region-hash
// file: drivers/md/dm-region-hash.c
// scenarios: raid1
// kills: wrong data

@@
identifier reg, errors_handled;
@@
 dm_rh_update_states(...)
 {
 <...
-	complete_resync_work(reg, errors_handled ? 0 : 1);
+	complete_resync_work(reg, 0);
 ...>
 }
