// class: the position in the bio's vector is not put back before the retry
// module: dm-multipath
// file: drivers/md/dm-bio-record.h
// scenarios: multipath/failover-read-split, multipath
// kills: crash, wrong data, hang, wrong answer, wrong I/O
// inspired-by: linux-kernel, February 2009, "A suggestion to preserve bio
//   vector"

@@
@@
 dm_bio_restore(...)
 {
+	unsigned int halfway = bio->bi_iter.bi_idx;
 	<...
 	bio->bi_iter = bd->bi_iter;
+	bio->bi_iter.bi_idx = halfway;
 	...>
 }
