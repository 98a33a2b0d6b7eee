// class: a failed read is called good instead of being retried
// module: dm-mirror
// file: drivers/md/dm-raid1.c
// scenarios: raid1/read-whole, raid1
// kills: wrong data

@@
@@
 mirror_end_io(...)
 {
 	<...
 	if (default_ok(m) || mirror_available(ms, bio)) {
+		*error = BLK_STS_OK;
+		bio_record->details.bi_bdev = NULL;
+		return DM_ENDIO_DONE;
 		...
 	}
 	...>
 }
