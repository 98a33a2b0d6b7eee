// class: the cure of a retry that is decided by another region, not a fault
// module: dm-mirror
// file: drivers/md/dm-raid1.c
// scenarios: raid1
// kills: wrong answer, crash

@@
identifier bd, bio, bio_record, m, ms;
@@
 mirror_end_io(...)
 {
 <...
+	bio->bi_iter.bi_sector = bio_record->details.bi_iter.bi_sector;
 	if (default_ok(m) || mirror_available(ms, bio)) {
 		bd = &bio_record->details;
 		...
 	}
 ...>
 }
