// class: the error of every destination but the first is lost
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
+	if (!region)
+		set_bit(region, &io->error_bits);
 	...>
 }
