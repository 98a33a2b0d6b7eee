// class: writes to a region that is out of sync are called good and dropped
// module: dm-mirror
// file: drivers/md/dm-raid1.c
// scenarios: raid1/write-buffered, raid1/write-beneath-linear, raid1
// kills: wrong data, wrong I/O, misjudged

@@
@@
 do_writes(...)
 {
 	<...
 	map_bio(get_default_mirror(ms), bio);
-	submit_bio_noacct(bio);
+	bio_endio(bio);
 	...>
 }
