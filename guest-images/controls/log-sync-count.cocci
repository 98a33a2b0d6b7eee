// class: the log counts a region as in sync that is not
// module: dm-log
// file: drivers/md/dm-log.c
// scenarios: raid1/write-halfway, raid1
// kills: misjudged

@@
@@
 core_get_sync_count(...)
 {
 	...
-	return lc->sync_count;
+	return lc->region_count;
 }
