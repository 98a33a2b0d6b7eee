// class: the whole iterator is left as the failed attempt left it
// module: dm-multipath
// file: drivers/md/dm-bio-record.h
// scenarios: multipath/failover-once, multipath/failover-read, multipath
// kills: crash, wrong data, hang, wrong answer, wrong I/O
// inspired-by: linux-kernel, February 2009, "A suggestion to preserve bio
//   vector"

@@
@@
 dm_bio_restore(...)
 {
 	<...
-	bio->bi_iter = bd->bi_iter;
 	...>
 }
