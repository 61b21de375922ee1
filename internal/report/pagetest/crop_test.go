package pagetest
import ("testing";"os")
func TestCrop(t *testing.T) {
	if os.Getenv("EDGED_PAGE_SHOTS")=="" {t.Skip()}
	tb := open(t, fixture(t, depot), "", view{width:360,height:2400,phone:true})
	tb.shot("crop-phone-top", false)
	tb.do(`document.getElementById("records").scrollIntoView()`); tb.settle()
	tb.shot("crop-phone-records", false)
	tb = open(t, fixture(t, depot), "#record=333", phone)
	tb.shot("crop-phone-333", false)
	tb = open(t, fixture(t, depot), "", view{width:1280,height:1000})
	tb.shot("crop-desktop-top", false)
	tb = open(t, fixture(t, depot), "#record=333", view{width:1280,height:1000,dark:true})
	tb.shot("crop-desktop-333", false)
}
