// class: requests land a page away on every leg but the first
// module: dm-mirror
// file: drivers/md/dm-raid1.c
// scenarios: raid1
// kills: wrong data, wrong I/O

@@
@@
 map_sector(...)
 {
 	...
-	return m->offset + dm_target_offset(m->ms->ti, bio->bi_iter.bi_sector);
+	return m->offset + (m > m->ms->mirror ? 8 : 0) + dm_target_offset(m->ms->ti, bio->bi_iter.bi_sector);
 }
