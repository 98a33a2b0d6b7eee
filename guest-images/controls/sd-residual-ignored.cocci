// class: what was not transferred is counted as good
// module: sd_mod
// file: drivers/scsi/sd.c
// scenarios: target/raid1-read-reports, target
// kills: wrong data, wrong I/O

@@
@@
 sd_completed_bytes(...)
 {
 	...
-	transferred = scsi_bufflen(scmd) - scsi_get_resid(scmd);
+	transferred = scsi_bufflen(scmd);
 	...
 }
