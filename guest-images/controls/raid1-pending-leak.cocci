// class: a region's count of pending writes never goes down
// module: dm-mirror
// file: drivers/md/dm-raid1.c
// scenarios: raid1
// kills: crash, hang, misjudged

@@
@@
 mirror_end_io(...)
 {
 	<...
-	dm_rh_dec(ms->rh, bio_record->write_region);
+	;
 	...>
 }
