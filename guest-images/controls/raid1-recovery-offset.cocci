// class: recovery copies to a page away
// module: dm-mirror
// file: drivers/md/dm-raid1.c
// scenarios: raid1/read-synced, raid1
// kills: wrong data, wrong I/O, misjudged

@@
@@
 recover(...)
 {
 	<...
-	dest->sector = m->offset + dm_rh_region_to_sector(ms->rh, key);
+	dest->sector = m->offset + 8 + dm_rh_region_to_sector(ms->rh, key);
 	...>
 }
