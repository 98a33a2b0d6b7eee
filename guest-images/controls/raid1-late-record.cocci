// class: the bio is recorded after it was mapped to a leg
// module: dm-mirror
// file: drivers/md/dm-raid1.c
// scenarios: raid1/leg-offset, raid1
// kills: wrong data, wrong I/O

@@
@@
 mirror_map(...)
 {
 	...
-	dm_bio_record(&bio_record->details, bio);
 	bio_record->m = m;
 	map_bio(m, bio);
+	dm_bio_record(&bio_record->details, bio);
 	...
 }
