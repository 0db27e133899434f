package match

import "strings"

// abbreviations maps short forms to the words they stand for. Only forms that mean
// the same in every industry are here; the rest is for a language model.
var abbreviations = pairs(`
acct=account addr=address adr=address amt=amount app=application apt=apartment
attr=attribute auth=authorization avg=average bal=balance bday=birth_date
birthdate=birth_date birthday=birth_date bldg=building cat=category ccy=currency cd=code
char=character chg=change clt=client cmnt=comment cnt=count co=company
coord=coordinate corp=company cpny=company crncy=currency ctry=country ctct=contact
curr=currency cust=customer custid=customer_id dep=department dept=department
desc=description descr=description dest=destination dev=device diff=difference
dir=direction dist=distance dob=birth_date doc=document dod=death_date
dt=date dte=date dtm=timestamp dttm=timestamp dur=duration emp=employee
eml=email exp=expiry ext=extension flg=flag fname=first_name
forename=first_name fn=first_name freq=frequency gend=gender geo=location
givenname=first_name grp=group guid=uuid hrs=hour ident=id
identifier=id idx=index img=image info=information inv=invoice invc=invoice
itm=item kg=kilogram lang=language lat=latitude len=length lname=last_name
ln=last_name lng=longitude loc=location lon=longitude lvl=level
max=maximum mgr=manager min=minimum mob=mobile mobileno=mobile_number msg=message
mth=month nbr=number nm=name no=number num=number nr=number ord=order
org=organization organisation=organization orig=original param=parameter
pct=percent percentage=percent perm=permission phn=phone pic=picture pk=id
pmt=payment pos=position postcode=postal_code prc=price prd=product
prev=previous prio=priority proc=process prod=product proj=project prov=province
ptnt=patient pwd=password qty=quantity qnty=quantity rcpt=receipt rcv=receive
recd=received ref=reference refno=reference_number reg=registration rep=representative
req=request resp=response seq=sequence ser=serial sex=gender src=source
sno=serial_number st=state stat=status std=standard str=street strt=start
subj=subject surname=last_name svc=service tel=phone telno=phone_number
temp=temperature tm=time tmp=temporary tot=total tran=transaction trans=transaction
transac=transaction txn=transaction ts=timestamp ttl=total typ=type uid=user_id
upd=update usr=user val=value var=variable vol=volume wgt=weight wk=week
wt=weight yr=year zip=postal_code zipcode=postal_code plz=postal_code
familyname=last_name cellphone=mobile_phone postal=postal_code
`)

// maxPhrase is the number of words in the longest of phrases.
const maxPhrase = 3

// phrases maps runs of words, spelled out, to the usual name of the same thing: the
// words by themselves mean something else (a family, an address).
var phrases = phrasebook(`
e mail = email
e mail address = email
email address = email
given name = first name
grand total = total
fore name = first name
family name = last name
sur name = last name
date of birth = birth date
birth day = birth date
born on = birth date
born at = birth date
date of death = death date
postal code code = postal code
post code = postal code
time stamp = timestamp
web site = website
`)

// concepts groups words that name the same thing. Words of one group match, a
// little weaker than the same word does.
var concepts = groups(`
phone telephone mobile cell cellular handset
email mail
customer client buyer shopper patron
employee staff worker
company organization business firm employer
address location place
street road
province region
postal postcode
created create creation inserted added
updated update modified modify changed edited
deleted removed
start begin began opened
end finish finished closed until
amount sum
price cost rate
total overall
quantity count units pieces
description text summary detail details comment comments note notes remark remarks
title heading subject
name label caption
id key code number
category class kind type
status state condition
image picture photo avatar
url link href website uri web
date day time timestamp datetime moment at on
order ordered purchase purchased
product item article goods
invoice bill
payment transaction
delivery shipping shipment
supplier vendor seller
user member
person individual people
manager supervisor boss
gender sex
weight mass
height tall
width breadth
speed velocity
score rating grade points
country nation
city town
percent ratio share
discount rebate
tax vat
language locale
owner holder
author writer creator
message content body
device machine equipment
active enabled
`)

// generic words say little about which entity a field belongs to: every table has
// them.
var generic = words(`
id name date type code number status created updated deleted at on by is has the of
and a an time timestamp description value key flag data info information field column
active source record row object attribute index no to from in for
`)

// vocabulary are further plain words by which names that were written together,
// such as "firstname" or "orderdate", are cut.
var vocabulary = words(`
first last middle full nick given family birth death home work office billing ship
card credit debit bank branch line house unit zone area district floor room building
year month week hour minute second start open close due paid net gross unit currency
tax rate balance account login password token hash file path size length depth
temperature pressure humidity sensor reading voltage current power energy event
session page view click visit campaign channel medium term keyword job role level
team group project task priority department salary hire contract policy claim
patient doctor visit diagnosis drug dose test result sample batch serial model brand
color colour material stock warehouse store shop cart coupon gift refund return
review comment post tag user agent browser version platform language locale zip
latitude longitude altitude street city country state region postal phone mobile fax
email website url image photo video audio title subject message body note reference
external internal parent child root node self order customer product invoice payment
supplier employee company contact person member owner author
`)

func words(list string) map[string]bool {
	set := make(map[string]bool)
	for _, word := range strings.Fields(list) {
		set[word] = true
	}
	return set
}

func phrasebook(list string) map[string][]string {
	m := make(map[string][]string)
	for line := range strings.Lines(list) {
		if phrase, usual, ok := strings.Cut(strings.TrimSpace(line), " = "); ok {
			m[phrase] = strings.Fields(usual)
		}
	}
	return m
}

func pairs(list string) map[string][]string {
	m := make(map[string][]string)
	for _, pair := range strings.Fields(list) {
		short, long, _ := strings.Cut(pair, "=")
		m[short] = strings.Split(long, "_")
	}
	return m
}

// groups maps each word to the first word of its line.
func groups(list string) map[string]string {
	m := make(map[string]string)
	for line := range strings.Lines(list) {
		members := strings.Fields(line)
		for _, member := range members {
			if _, taken := m[member]; !taken {
				m[member] = members[0]
			}
		}
	}
	return m
}

// known says that a word can be trusted to be one, when a name is cut into words.
func known(word string) bool {
	if vocabulary[word] || generic[word] && len(word) > 1 {
		return true
	}
	_, concept := concepts[word]
	return concept
}
