// class: the sectors up to the next page are counted as good
// module: sd_mod
// file: drivers/scsi/sd.c
// scenarios: target/raid1-read, target
// kills: wrong data, wrong I/O

@@
@@
 sd_completed_bytes(...)
 {
 	...
-	return min(good_bytes, transferred);
+	return min(round_up(good_bytes, 4096), transferred);
 }
