// class: a write that must be on the medium is sent without its flush
// module: dm-mirror
// file: drivers/md/dm-raid1.c
// scenarios: raid1/write-durable, raid1
// kills: wrong I/O, wrong data

@@
expression flags;
@@
 do_write(...)
 {
 	...
 	blk_opf_t op_flags =
-		bio->bi_opf & flags
+		0
 	;
 	...
 }
