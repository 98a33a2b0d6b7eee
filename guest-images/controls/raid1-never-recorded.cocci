// class: the bio is not recorded when it is mapped
// module: dm-mirror
// file: drivers/md/dm-raid1.c
// scenarios: raid1/read-whole, raid1
// kills: wrong answer, wrong I/O

@@
@@
 mirror_map(...)
 {
 	...
-	dm_bio_record(&bio_record->details, bio);
 	bio_record->m = m;
 	...
 }
