// class: the error of any destination counts as the first one's
// module: dm-mod
// file: drivers/md/dm-io.c
// scenarios: raid1/write-whole, raid1/write-halfway, raid1
// kills: misjudged, wrong data, wrong answer

@@
@@
 dec_count(...)
 {
 	<...
-	set_bit(region, &io->error_bits);
+	set_bit(0, &io->error_bits);
 	...>
 }
