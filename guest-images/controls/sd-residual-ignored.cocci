// class: what was not transferred is counted as good
// module: sd_mod
// file: drivers/scsi/sd.c
// scenarios: target, partial, multipath/partial, raid1/partial
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
