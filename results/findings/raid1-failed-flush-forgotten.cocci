// class: the cure of a failed flush that is forgotten, not a fault
// module: dm-mirror
// file: drivers/md/dm-raid1.c
// scenarios: raid1
// kills: hang

@@
identifier ms, bio;
@@
 do_failures(...)
 {
 <...
 	if (!ms->log_failure) {
+		if (!(bio->bi_opf & REQ_PREFLUSH))
 		ms->in_sync = 0;
 		dm_rh_mark_nosync(ms->rh, bio);
 	}
 ...>
 }
