// class: what does not fit into one bio goes to the start of the range again
// module: dm-mod
// file: drivers/md/dm-io.c
// scenarios: raid1/write-halfway, raid1
// kills: crash, wrong data, hang, wrong I/O

@@
@@
 do_region(...)
 {
 	<...
-	bio->bi_iter.bi_sector = where->sector + (where->count - remaining);
+	bio->bi_iter.bi_sector = where->sector;
 	...>
 }
