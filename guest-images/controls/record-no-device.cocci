// class: the block device is not put back before the retry
// module: dm-mirror
// file: drivers/md/dm-bio-record.h
// scenarios: raid1/read-halfway, raid1/read-whole, raid1/read-across-regions,
//   raid1/read-three-legs, raid1/read-twice, raid1/read-buffered, raid1/read-merged,
//   raid1/read-all-legs-fail, raid1/read-queue-depth
// kills: crash, wrong data, hang, wrong answer
// inspired-by: linux-kernel, February 2009, "A suggestion to preserve bio
//   vector"
// equivalent: the retry goes to the leg that dm-io gets as a parameter; the bio's
//   device does not matter for it. The bio's bio_endio reads the device only for
//   throttling, which is not in use, and for BIO_TRACE_COMPLETION, which is not
//   set on a clone.

@@
@@
 dm_bio_restore(...)
 {
 	<...
-	bio->bi_bdev = bd->bi_bdev;
 	...>
 }
