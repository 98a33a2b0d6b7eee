// class: the sector that failed is counted as good
// module: sd_mod
// file: drivers/scsi/sd.c
// scenarios: target/raid1-read, target
// kills: wrong data, wrong I/O

@@
@@
 sd_completed_bytes(...)
 {
 	...
-	good_bytes = logical_to_bytes(sdev, bad_lba - start_lba);
+	good_bytes = logical_to_bytes(sdev, bad_lba - start_lba + 1);
 	...
 }
