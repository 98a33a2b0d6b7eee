// class: the bytes done within a segment are not put back before the retry
// module: dm-mirror
// file: drivers/md/dm-bio-record.h
// scenarios: raid1/read-halfway, raid1
// kills: crash, wrong data, hang, wrong I/O
// inspired-by: linux-kernel, February 2009, "A suggestion to preserve bio
//   vector"

@@
@@
 dm_bio_restore(...)
 {
+	unsigned int halfway = bio->bi_iter.bi_bvec_done;
 	<...
 	bio->bi_iter = bd->bi_iter;
+	bio->bi_iter.bi_bvec_done = halfway;
 	...>
 }
