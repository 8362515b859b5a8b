-- By which name its vendor knows a leg's session, once there is one: who has to end it after a crash
-- need not look for it among all there are.
ALTER TABLE vito.usage ADD COLUMN vendor_ref TEXT CHECK (vendor_ref <> '');
