// class: the completion handler is not put back before the retry
// module: dm-mirror
// file: drivers/md/dm-bio-record.h
// scenarios: raid1/read-halfway, raid1/read-whole, raid1/read-across-regions,
//   raid1/read-three-legs, raid1/read-twice, raid1/read-buffered, raid1/read-merged,
//   raid1/read-all-legs-fail, raid1/read-queue-depth
// kills: crash, wrong data, hang, wrong answer
// inspired-by: commit 1b17159e52bb, "dm bio record: save/restore bi_end_io
//   and bi_integrity"
// equivalent: only a leg that puts its own handler into a bio (software
//   integrity, inline encryption in software) could leave another one there.
//   Such code restores the former handler before it calls it. And no leg of the
//   catalogue has such code.

@@
@@
 dm_bio_restore(...)
 {
 	<...
-	bio->bi_end_io = bd->bi_end_io;
 	...>
 }
