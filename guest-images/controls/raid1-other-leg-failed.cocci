// class: a leg that wrote well is failed for the one that did not
// module: dm-mirror
// file: drivers/md/dm-raid1.c
// scenarios: raid1/write-whole, raid1/write-halfway, raid1
// kills: misjudged, wrong data

@@
@@
 write_callback(...)
 {
 	<...
-	fail_mirror(ms->mirror + i, DM_RAID1_WRITE_ERROR)
+	fail_mirror(ms->mirror + (ms->nr_mirrors - 1 - i), DM_RAID1_WRITE_ERROR)
 	...>
 }
