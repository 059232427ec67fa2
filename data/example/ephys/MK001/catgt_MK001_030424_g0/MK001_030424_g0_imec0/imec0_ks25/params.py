dat_path = '../MK001_030424_g0_tcat.imec0.ap.bin'
n_channels_dat = 385
dtype = 'int16'
offset = 0
sample_rate = 30000.159482322575
hp_filtered = False
