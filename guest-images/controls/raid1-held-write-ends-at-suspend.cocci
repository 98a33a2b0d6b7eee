// class: a write that waits for the operator is called good when the mirror is suspended
// module: dm-mirror
// file: drivers/md/dm-raid1.c
// scenarios: raid1/write-held, raid1
// kills: hang, wrong data, wrong I/O

@@
@@
 hold_bio(...)
 {
 	<...
-	if (dm_noflush_suspending(ms->ti))
-		bio->bi_status = BLK_STS_DM_REQUEUE;
-	else
-		bio->bi_status = BLK_STS_IOERR;
+	bio->bi_status = BLK_STS_OK;
 	...>
 }
