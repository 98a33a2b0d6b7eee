// class: where the mirror starts on a leg is ignored
// module: dm-mirror
// file: drivers/md/dm-raid1.c
// scenarios: raid1/leg-offset, raid1
// kills: wrong data, wrong I/O

@@
@@
 map_sector(...)
 {
 	...
-	return m->offset + dm_target_offset(m->ms->ti, bio->bi_iter.bi_sector);
+	return dm_target_offset(m->ms->ti, bio->bi_iter.bi_sector);
 }
