// class: the whole iterator is left as the failed attempt left it
// module: dm-mirror
// file: drivers/md/dm-bio-record.h
// scenarios: raid1/read-halfway, raid1
// kills: wrong data, wrong answer, wrong I/O
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
