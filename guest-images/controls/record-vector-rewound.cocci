// class: the retry begins at the start of the vector, wherever the bio began
// module: dm-mirror
// file: drivers/md/dm-bio-record.h
// scenarios: raid1/read-across-regions, raid1
// kills: crash, wrong data, hang, wrong I/O

@@
@@
 dm_bio_restore(...)
 {
 	<...
 	bio->bi_iter = bd->bi_iter;
+	bio->bi_iter.bi_idx = 0;
+	bio->bi_iter.bi_bvec_done = 0;
 	...>
 }
