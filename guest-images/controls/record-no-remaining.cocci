// class: the count of chained bios is not put back before the retry
// module: dm-mirror
// file: drivers/md/dm-bio-record.h
// scenarios: raid1/read-halfway, raid1/read-whole, raid1/read-across-regions,
//   raid1/read-three-legs, raid1/read-twice, raid1/read-buffered, raid1/read-merged,
//   raid1/read-all-legs-fail, raid1/read-queue-depth
// kills: crash, wrong data, hang, wrong answer
// equivalent: the mirror does not submit the restored bio again. It has
//   dm-io make bios of its own, and ends the restored one with a single
//   bio_endio. That looks at the count only under BIO_CHAIN, which the
//   restored flags, recorded before any split, do not have.

@@
@@
 dm_bio_restore(...)
 {
 	<...
-	atomic_set(&bio->__bi_remaining, bd->__bi_remaining);
 	...>
 }
