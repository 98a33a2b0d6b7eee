// class: the bio's flags are left as the failed attempt left them
// module: dm-mirror
// file: drivers/md/dm-bio-record.h
// scenarios: raid1/read-halfway, raid1/read-whole, raid1/read-across-regions,
//   raid1/read-three-legs, raid1/read-twice, raid1/read-buffered, raid1/read-merged,
//   raid1/read-all-legs-fail, raid1/read-queue-depth
// kills: crash, wrong data, hang, wrong answer
// equivalent: the mirror does not submit the restored bio again; dm-io reads
//   into its pages by bios of its own. Only one bio_endio follows. It looks at
//   BIO_CHAIN and BIO_TRACE_COMPLETION, and both were cleared when the failed
//   attempt ended. The other flags matter only to submission, or to throttling,
//   which no leg has.

@@
@@
 dm_bio_restore(...)
 {
 	<...
-	bio->bi_flags = bd->bi_flags;
 	...>
 }
