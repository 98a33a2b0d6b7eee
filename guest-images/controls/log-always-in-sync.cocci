// class: the log takes every region for in sync
// module: dm-log
// file: drivers/md/dm-log.c
// scenarios: raid1/recovery-source-fails, raid1/write-halfway, raid1
// kills: misjudged, wrong data, wrong answer, wrong I/O

@@
@@
 core_in_sync(...)
 {
 	...
-	return log_test_bit(lc->sync_bits, region);
+	return 1;
 }
