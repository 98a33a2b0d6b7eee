// class: the count of chained bios is not put back before the retry
// module: dm-mirror
// file: drivers/md/dm-bio-record.h
// scenarios: raid1
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
