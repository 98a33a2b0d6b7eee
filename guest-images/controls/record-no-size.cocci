// class: the size is not put back before the retry
// module: dm-mirror
// file: drivers/md/dm-bio-record.h
// scenarios: raid1/read-whole, raid1
// kills: wrong data, wrong answer, wrong I/O
// inspired-by: linux-kernel, February 2009, "A suggestion to preserve bio
//   vector"

@@
@@
 dm_bio_restore(...)
 {
+	unsigned int halfway = bio->bi_iter.bi_size;
 	<...
 	bio->bi_iter = bd->bi_iter;
+	bio->bi_iter.bi_size = halfway;
 	...>
 }
