// class: the last page of a request that dm-io makes is forgotten
// module: dm-mirror
// file: drivers/md/dm-raid1.c
// scenarios: raid1
// kills: wrong data, wrong I/O

@@
@@
 map_region(...)
 {
 	...
-	io->count = bio_sectors(bio);
+	io->count = bio_sectors(bio) > 8 ? bio_sectors(bio) - 8 : bio_sectors(bio);
 }
