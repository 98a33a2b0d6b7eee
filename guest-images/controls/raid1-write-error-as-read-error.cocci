// class: a leg that missed a write counts as one that only failed a read
// module: dm-mirror
// file: drivers/md/dm-raid1.c
// scenarios: raid1/write-whole, raid1/write-halfway, raid1
// kills: misjudged

@@
@@
 write_callback(...)
 {
 	<...
 	fail_mirror(ms->mirror + i,
-		DM_RAID1_WRITE_ERROR
+		DM_RAID1_READ_ERROR
 	)
 	...>
 }
