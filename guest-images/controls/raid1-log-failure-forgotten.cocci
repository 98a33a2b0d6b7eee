// class: writes go on though the log could not be written
// module: dm-mirror
// file: drivers/md/dm-raid1.c
// scenarios: raid1/log-fails
// kills: wrong I/O, wrong answer, misjudged

@@
@@
 do_writes(...)
 {
 	...
-	ms->log_failure = dm_rh_flush(ms->rh) ? 1 : ms->log_failure;
+	dm_rh_flush(ms->rh);
 	...
 }
