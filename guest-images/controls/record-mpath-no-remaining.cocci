// class: the count of chained bios is not put back before the retry
// module: dm-multipath
// file: drivers/md/dm-bio-record.h
// scenarios: multipath/queue-if-no-path-split, multipath
// kills: crash, hang, wrong data, wrong answer, wrong I/O

@@
@@
 dm_bio_restore(...)
 {
 	<...
-	atomic_set(&bio->__bi_remaining, bd->__bi_remaining);
 	...>
 }
