// class: the count of chained bios is not put back before the retry
// module: dm-mirror
// file: drivers/md/dm-bio-record.h
// scenarios: raid1/read-halfway, raid1/read-whole, raid1/read-across-regions,
//   raid1/read-three-legs, raid1/read-twice, raid1/read-buffered, raid1/read-merged,
//   raid1/read-all-legs-fail, raid1/read-queue-depth
// kills: crash, wrong data, hang, wrong answer
// equivalent: the mirror does not submit the restored bio again. dm-io makes
//   bios of its own, and the mirror ends the restored bio with a single
//   bio_endio. That looks at the count only if BIO_CHAIN is set. The restored
//   flags were recorded before any split, so it is not set.

@@
@@
 dm_bio_restore(...)
 {
 	<...
-	atomic_set(&bio->__bi_remaining, bd->__bi_remaining);
 	...>
 }
