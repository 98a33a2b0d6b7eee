// class: the errors of all destinations are lost
// module: dm-mod
// file: drivers/md/dm-io.c
// scenarios: raid1/write-whole, raid1/read-all-legs-fail, raid1
// kills: misjudged, wrong data, wrong answer

@@
@@
 dec_count(...)
 {
 	<...
-	set_bit(region, &io->error_bits);
+	;
 	...>
 }
