// class: once a leg has failed, writes are called good and dropped
// module: dm-mirror
// file: drivers/md/dm-raid1.c
// scenarios: raid1/write-buffered, raid1/write-beneath-linear, raid1
// kills: wrong data, wrong I/O, misjudged, wrong answer

@@
@@
 do_write(...)
 {
 	...
+	if (ms->leg_failure) {
+		bio_endio(bio);
+		return;
+	}
 	BUG_ON(dm_io(...));
 }
